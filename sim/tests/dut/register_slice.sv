// Adds a constant to every element and passes the beat on through a full-throughput register slice (two entries).
// Latency 1 cycle, one beat a cycle.
module register_slice #(
    parameter int BITS = 8,
    parameter int ELEMENTS = 4,
    parameter int ADD = 1,
    parameter int WIDTH = (BITS * ELEMENTS + 7) / 8 * 8
) (
    input  logic             aclk,
    input  logic             aresetn,
    input  logic [WIDTH-1:0] s_axis_tdata,
    input  logic             s_axis_tvalid,
    output logic             s_axis_tready,
    input  logic             s_axis_tlast,
    output logic [WIDTH-1:0] m_axis_tdata,
    output logic             m_axis_tvalid,
    input  logic             m_axis_tready,
    output logic             m_axis_tlast
);
    logic [WIDTH-1:0] sum, spare;
    logic             spare_valid, spare_last;

    always_comb begin
        sum = '0;
        for (int i = 0; i < ELEMENTS; i++) sum[i*BITS +: BITS] = s_axis_tdata[i*BITS +: BITS] + BITS'(ADD);
    end

    assign s_axis_tready = !spare_valid;

    always_ff @(posedge aclk) begin
        if (!aresetn) begin
            m_axis_tvalid <= 1'b0;
            spare_valid   <= 1'b0;
        end else begin
            if (!m_axis_tvalid || m_axis_tready) begin
                if (spare_valid) begin
                    m_axis_tdata  <= spare;
                    m_axis_tlast  <= spare_last;
                    m_axis_tvalid <= 1'b1;
                    spare_valid   <= 1'b0;
                end else begin
                    m_axis_tdata  <= sum;
                    m_axis_tlast  <= s_axis_tlast;
                    m_axis_tvalid <= s_axis_tvalid;
                end
            end else if (s_axis_tvalid && s_axis_tready) begin
                spare       <= sum;
                spare_last  <= s_axis_tlast;
                spare_valid <= 1'b1;
            end
        end
    end
endmodule
