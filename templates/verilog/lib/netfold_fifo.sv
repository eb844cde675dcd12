// FIFO of beats whose places are reserved ahead: the producer fires only while `space` is high, `reserve` marks the firing, and
// `put` brings the beat any number of cycles later. Nothing behind `reserve` ever has to wait.
//
// A beat put in cycle t is at the head from cycle t+1 on (DEEP=0: registers or LUT memory, read in the same cycle) or from
// cycle t+2 on (DEEP=1: block memory with a registered output). Both pass one beat a cycle. A place is free again in the cycle
// after `take`.
module netfold_fifo #(
    parameter int WIDTH = 8,  // bits of a beat
    parameter int DEPTH = 2,  // beats
    parameter bit DEEP  = 0,  // memory with a registered output
    parameter bit BLOCK = 0   // block memory, with DEEP only
) (
    input  wire             clk,
    input  wire             rst,
    // Producer.
    output reg              space,
    input  wire             reserve,
    input  wire             put,
    input  wire [WIDTH-1:0] din,
    // Consumer.
    output reg              valid,
    input  wire             take,
    output wire [WIDTH-1:0] dout
);
  localparam int CW = $clog2(DEPTH + 1);

  // Places reserved or occupied, and beats at the head side.
  reg [CW-1:0] reserved;
  reg [CW-1:0] present;
  wire         arrive;

  always @(posedge clk) begin
    if (rst) begin
      reserved <= '0;
      present  <= '0;
      space    <= 1'b0;
      valid    <= 1'b0;
    end else begin
      if (reserve && !take) begin
        reserved <= reserved + 1'b1;
        space    <= reserved != CW'(DEPTH - 1);
      end else if (take && !reserve) begin
        reserved <= reserved - 1'b1;
        space    <= 1'b1;
      end else begin
        space <= reserved != CW'(DEPTH);
      end
      if (arrive && !take) begin
        present <= present + 1'b1;
        valid   <= 1'b1;
      end else if (take && !arrive) begin
        present <= present - 1'b1;
        valid   <= present != CW'(1);
      end
    end
  end

  generate
    if (DEEP) begin : g_deep
      localparam int AW = $clog2(DEPTH);
      reg put_late;
      reg [AW-1:0] head, tail;
      wire [AW-1:0] head_next = !take ? head : head == AW'(DEPTH - 1) ? '0 : head + 1'b1;
      always @(posedge clk) begin
        if (rst) begin
          put_late <= 1'b0;
          head     <= '0;
          tail     <= '0;
        end else begin
          put_late <= put;
          head     <= head_next;
          if (put) tail <= tail == AW'(DEPTH - 1) ? '0 : tail + 1'b1;
        end
      end
      assign arrive = put_late;
      netfold_ram #(
          .WIDTH(WIDTH),
          .DEPTH(DEPTH),
          .BLOCK(BLOCK)
      ) u_ram (
          .clk  (clk),
          .we   (put),
          .waddr(tail),
          .wdata(din),
          .re   (1'b1),
          .raddr(head_next),
          .rdata(dout)
      );
    end else if (DEPTH == 1) begin : g_single
      reg [WIDTH-1:0] beat;
      always @(posedge clk) if (put) beat <= din;
      assign dout   = beat;
      assign arrive = put;
      wire unused = BLOCK;
    end else begin : g_shallow
      localparam int AW = $clog2(DEPTH);
      reg [WIDTH-1:0] mem[0:DEPTH-1];
      reg [AW-1:0] head, tail;
      always @(posedge clk) begin
        if (put) mem[tail] <= din;
        if (rst) begin
          head <= '0;
          tail <= '0;
        end else begin
          if (take) head <= head == AW'(DEPTH - 1) ? '0 : head + 1'b1;
          if (put) tail <= tail == AW'(DEPTH - 1) ? '0 : tail + 1'b1;
        end
      end
      assign dout   = mem[head];
      assign arrive = put;
      wire unused = BLOCK;
    end
  endgenerate
endmodule
