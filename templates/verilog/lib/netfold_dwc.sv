// Width converter: beats of FROM elements become beats of TO elements of BITS bits. Latency: 0.
// It holds fewer than max(FROM, TO) elements, takes a beat when fewer than TO are held (or always, when TO is the larger),
// and gives a beat whenever TO are there.
module netfold_dwc #(
    parameter int FROM = 4,
    parameter int TO   = 6,
    parameter int GCD  = 2,  // greatest common divisor of FROM and TO
    parameter int BITS = 8
) (
    input  wire                 clk,
    input  wire                 rst,
    input  wire                 in_valid,
    output wire                 in_take,
    input  wire [FROM*BITS-1:0] in_data,
    input  wire                 out_space,
    output wire                 out_reserve,
    output wire                 out_put,
    output wire [  TO*BITS-1:0] out_data
);
  // All counts are in units of GCD elements.
  localparam int F = FROM / GCD;
  localparam int T = TO / GCD;
  localparam int UW = GCD * BITS;
  wire taking, giving;
  wire fire = (in_valid || !taking) && (out_space || !giving);
  assign in_take = fire && taking;
  assign out_reserve = fire && giving;
  assign out_put = out_reserve;
  generate
    if (F == T) begin : g_same
      assign taking   = 1'b1;
      assign giving   = 1'b1;
      assign out_data = in_data;
      wire unused = &{1'b0, clk, rst};
    end else if (T == 1) begin : g_split
      localparam int KW = $clog2(F);
      wire [KW-1:0] part;
      wire last;
      netfold_counter #(
          .N(F)
      ) u_part (
          .clk(clk),
          .rst(rst),
          .step(fire),
          .value(part),
          .first(taking),
          .last(last)
      );
      assign giving = 1'b1;
      reg [(F-1)*UW-1:0] rest;
      wire [F*UW-1:0] now = taking ? in_data : {{UW{1'b0}}, rest};
      always @(posedge clk) if (fire) rest <= now[F*UW-1:UW];
      assign out_data = now[UW-1:0];
      wire unused = &{1'b0, part, last};
    end else if (F == 1) begin : g_join
      localparam int KW = $clog2(T);
      wire [KW-1:0] part;
      wire first;
      netfold_counter #(
          .N(T)
      ) u_part (
          .clk(clk),
          .rst(rst),
          .step(fire),
          .value(part),
          .first(first),
          .last(giving)
      );
      assign taking = 1'b1;
      reg [(T-1)*UW-1:0] held;
      assign out_data = {in_data, held};
      always @(posedge clk) if (fire) held <= out_data[T*UW-1:UW];
      wire unused = &{1'b0, part, first};
    end else begin : g_general
      localparam int LARGER = F > T ? F : T;
      localparam int HOLD = LARGER - 1;  // most units held after a firing
      localparam int ALL = T - 1 + F;  // most units there at a firing
      localparam int WIDE = HOLD + T > ALL ? HOLD + T : ALL;
      localparam int HW = $clog2(LARGER + 1);
      reg [HW-1:0] held;
      reg [HOLD*UW-1:0] rest;
      wire [HW:0] there = {1'b0, held} + (taking ? (HW + 1)'(F) : '0);
      assign taking = F < T || held < HW'(T);
      assign giving = F > T || there >= (HW + 1)'(T);
      // The new beat is placed behind the `held` units.
      wire [WIDE*UW-1:0] beat = {{(WIDE - F) * UW{1'b0}}, in_data};
      reg [WIDE*UW-1:0] now;
      always_comb begin
        now = {{(WIDE - HOLD) * UW{1'b0}}, rest};
        for (int h = 0; h < T; h = h + 1) if (taking && held == HW'(h)) now = now | beat << (h * UW);
      end
      wire [HW:0] left = giving ? there - (HW + 1)'(T) : there;
      always @(posedge clk) begin
        if (rst) begin
          held <= '0;
          rest <= '0;
        end else if (fire) begin
          held <= left[HW-1:0];
          rest <= giving ? now[T*UW+:HOLD*UW] : now[HOLD*UW-1:0];
        end
      end
      assign out_data = now[T*UW-1:0];
      wire unused = &{1'b0, left, now};
    end
  endgenerate
endmodule
