// Passes beats through, with one fault of the parameter's choice.
module faulty #(
    parameter int FAULT = 0
) (
    input  logic       aclk,
    input  logic       aresetn,
    input  logic [7:0] s_axis_tdata,
    input  logic       s_axis_tvalid,
    output logic       s_axis_tready,
    input  logic       s_axis_tlast,
    output logic [7:0] m_axis_tdata,
    output logic       m_axis_tvalid,
    input  logic       m_axis_tready,
    output logic       m_axis_tlast
);
    logic [7:0] beats, cycles;

    always_ff @(posedge aclk) begin
        if (!aresetn) begin
            beats  <= 8'd0;
            cycles <= 8'd0;
        end else begin
            cycles <= cycles + 8'd1;
            if (s_axis_tvalid && s_axis_tready) beats <= beats + 8'd1;
            if (FAULT == 5 && beats == 8'd5) $fatal(1, "the design gives up");
        end
    end

    wire stop = FAULT == 4 && beats >= 8'd6;   // deadlock after six beats
    wire gap  = FAULT == 3 && cycles[2];       // tvalid falls without a handshake

    assign s_axis_tready = m_axis_tready && !stop && !gap && aresetn;
    assign m_axis_tvalid = s_axis_tvalid && !stop && !gap && aresetn;
    // 1: tlast one beat early; 2: never.
    assign m_axis_tlast  = FAULT == 1 ? beats[1:0] == 2'd2 : FAULT == 2 ? 1'b0 : s_axis_tlast;
    // 6: data change while stalled; 7: padding bits set.
    assign m_axis_tdata  = FAULT == 6 ? s_axis_tdata ^ {7'd0, cycles[0]} & 8'h0f
                         : FAULT == 7 ? s_axis_tdata | 8'h80 : s_axis_tdata;
endmodule
